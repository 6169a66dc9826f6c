"""
How we touch Kafka, MongoDB, HTTP and logs. Knows no word of the domain and imports no service.
"""
