"""
The services of the contact centre. Each lives in its own package and imports `services.common` alone.
"""
