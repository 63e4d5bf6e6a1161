import torch

from mtkd.batching.collate import collate

COLUMNS = {
    "input_ids": [[2, 7, 8, 3], [2, 9, 3]],
    "segments": [[0, 1, 1, 0], [0, 1, 0]],
    "token_type_ids": [[0, 0, 1, 1], [0, 0, 1]],
}


def test_ids_are_padded_with_the_pad_token_and_the_rest_with_0():
    batch = collate(COLUMNS, pad_token_id=5)
    assert batch["input_ids"].tolist() == [[2, 7, 8, 3], [2, 9, 3, 5]]
    assert batch["segments"].tolist() == [[0, 1, 1, 0], [0, 1, 0, 0]]
    assert batch["token_type_ids"][0].tolist() == [0, 0, 1, 1]


def test_the_mask_has_the_real_tokens_even_where_one_is_the_pad_token():
    ids = [[2, 0, 3], [2, 3]]
    batch = collate({"input_ids": ids}, pad_token_id=0)
    assert batch["attention_mask"].sum(1).tolist() == [3, 2]
    assert batch["attention_mask"][0].tolist() == [1, 1, 1]


def test_a_batch_is_as_wide_as_its_longest_row():
    batch = collate({"input_ids": [[1] * 11, [1]]}, pad_token_id=0)
    assert batch["input_ids"].shape == (2, 11)


def test_all_tensors_are_int64_and_of_one_shape():
    batch = collate(COLUMNS, pad_token_id=0)
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}
    assert {tuple(tensor.shape) for tensor in batch.values()} == {(2, 4)}
    assert batch.keys() == {*COLUMNS, "attention_mask"}
