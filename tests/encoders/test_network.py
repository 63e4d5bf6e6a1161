"""No socket is opened unless a recipe names the hub: seen from inside the interpreter."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

GUARD = """
import os, sys
def _guard(event, arguments):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.gethostby",
                         "socket.sendto", "socket.sendmsg", "http.client", "urllib.Request")):
        print("NETWORK", event, arguments, file=sys.stderr, flush=True)
        os._exit(99)
sys.addaudithook(_guard)
"""
RECIPE = """
name: small
tasks: [rte, stsb]
data: {{source: sample, max_length: 32, max_rows: {{train: 8, dev: 8, test: 8}}}}
student: {{encoder: {encoder}}}
training: {{epochs: 1, batch_size: 8, precision: fp32}}
"""


def guarded(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process that ends with 99 when anything goes to the network."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    return subprocess.run(
        [sys.executable, "-c", GUARD + textwrap.dedent(code)],
        cwd=folder,
        env={**kept, "HF_HOME": str(folder / "hf"), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_guard_sees_an_attempt(tmp_path):
    done = guarded(
        """
        from mtkd.encoders import encoder_folder
        encoder_folder("nobody/no-such-encoder")
        """,
        tmp_path,
    )
    assert done.returncode == 99, done.stderr
    assert "NETWORK" in done.stderr


@pytest.mark.parametrize(
    ("stage", "made", "environment"),
    [("evaluate", "evaluation/metrics.json", {}), ("prepare", "prepared", {"HF_HUB_OFFLINE": "1"})],
)
def test_a_run_on_sample_data_with_a_local_encoder_opens_no_socket(
    stage, made, environment, tiny_encoder, tmp_path
):
    """From the recipe to the student's scores; the folder looks like a hub id, as users have it."""
    shutil.copytree(tiny_encoder, tmp_path / "models" / "tiny")
    (tmp_path / "small.yaml").write_text(RECIPE.format(encoder="models/tiny"), "utf-8")
    done = guarded(
        f"""
        sys.argv = ["mtkd", "{stage}", "small.yaml"]
        from mtkd.cli import main
        main()
        """,
        tmp_path,
        **environment,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "small" / made).exists()


def test_a_tokenizer_of_many_words_is_not_asked_about_at_the_hub(tiny_encoder, tmp_path):
    """From 100,000 words on transformers looks whether it is Mistral's, which the hub knows."""
    folder = Path(shutil.copytree(tiny_encoder, tmp_path / "models" / "many-words"))
    content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    vocabulary = content["model"]["vocab"]
    vocabulary |= {f"w{i}": len(vocabulary) + i for i in range(100_001)}
    (folder / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    done = guarded(
        """
        from mtkd.encoders import load_tokenizer
        print(len(load_tokenizer("models/many-words")))
        """,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100_000


def test_offline_a_hub_id_is_an_error_at_once_that_says_so(tmp_path):
    done = guarded(
        """
        from mtkd.encoders import encoder_folder
        from mtkd.errors import EncoderError
        import time
        started = time.monotonic()
        try:
            encoder_folder("nobody/no-such-encoder")
        except EncoderError as error:
            print(time.monotonic() - started, error)
        """,
        tmp_path,
        HF_HUB_OFFLINE="1",
    )
    assert done.returncode == 0, done.stderr
    seconds, message = done.stdout.split(" ", 1)
    assert float(seconds) < 10  # most of it imports
    assert "HF_HUB_OFFLINE is set, so the hub is not asked" in message
    assert "try again without HF_HUB_OFFLINE" in message


@pytest.mark.parametrize("wanted", ["", "import mtkd"])
def test_the_hubs_library_tells_nobody_who_uses_it(tmp_path, wanted):
    done = guarded(
        f"""
        {wanted}
        import time
        from huggingface_hub.utils import _telemetry
        _telemetry.send_telemetry("somebody")
        time.sleep(3 if _telemetry._TELEMETRY_QUEUE.unfinished_tasks else 0)
        """,
        tmp_path,
    )
    assert done.returncode == (0 if wanted else 99), done.stderr  # without mtkd it does
