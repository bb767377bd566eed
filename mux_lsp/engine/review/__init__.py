"""Place the changes of runs on live texts, and accept, resolve and reject them."""
