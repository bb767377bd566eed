"""The files of the person: read and written by descriptor, staged, exchanged, rolled forward or back."""
