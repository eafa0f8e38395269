"""One layer, one file; the order in which they enclose each other stands in ``proxy/stack.py`` alone."""
