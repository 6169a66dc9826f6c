"""
Open311 GeoReport v2 at ``/open311/v2``: other people's 311 apps report here and read what became of it.
"""
