"""Changing who answers, safely: flags decide, and a call's way is a pure function of them."""
