"""The files that the GLUE server takes: written from logits, and checked before they are sent."""

from mtkd.submission.report import FileReport, Report
from mtkd.submission.validate import validate
from mtkd.submission.write import write_submission, zip_submission

__all__ = ["FileReport", "Report", "validate", "write_submission", "zip_submission"]
