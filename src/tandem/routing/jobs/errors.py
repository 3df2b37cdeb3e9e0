"""What a caller of jobs may be told instead of an answer.

JobError
├── JobNotFound        there is no such job, or it is another caller's
├── KeyTaken           the idempotency key was used for another job
├── TooManyJobs        the caller has as much waiting as it may
├── ResultsExpired     they were kept for their time, and are gone
├── CursorMalformed    the cursor is none of ours
├── CallbackMalformed  the URL or the secret is none
└── NoSeal             secrets cannot be kept here
"""


class JobError(Exception):
    """The root; the message is fit to show to the caller."""


class JobNotFound(JobError):  # noqa: N818 - a state of the world, named as one
    """There is no such job, or it is another caller's."""


class KeyTaken(JobError):  # noqa: N818 - as above
    """The idempotency key was used for another job."""


class TooManyJobs(JobError):  # noqa: N818 - as above
    """The caller has as much waiting as it may."""


class ResultsExpired(JobError):  # noqa: N818 - as above
    """The results were kept for their time, and are gone."""


class CursorMalformed(JobError):  # noqa: N818 - as above
    """The cursor is none of ours."""


class CallbackMalformed(JobError):  # noqa: N818 - as above
    """The URL or the secret is none; `field` says which."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class NoSeal(JobError):  # noqa: N818 - as above
    """This process has no key to seal secrets with."""
