"""
The local stack: broker, database, mail sink and the services, as processes under one supervisor.

``make up`` is ``python -m deploy.stack up``; tests use ``deploy.stack.stack.Stack``. Read ``config.py`` first.
"""
