"""
Conversations: what citizens write on WhatsApp, by SMS and by e-mail, and how it becomes requests and replies.
"""
