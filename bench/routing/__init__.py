"""The routing gateway beside a naive client, in one run on real parts."""
