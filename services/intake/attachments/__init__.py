"""
Files that come with a request or an update: taken by content, kept private, shown to those who may see the request.
"""
