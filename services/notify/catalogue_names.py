"""
Departments and services as a citizen knows them.
"""

import re

from services.common.contracts.catalogue import catalogue
from services.common.contracts.vocabulary import Language


def department_name(slug: str, language: Language) -> str:
    """
    The department as a citizen knows it, without the catalogue's remarks in brackets.
    """
    department = catalogue().departments.get(slug)
    if department is None:
        return slug
    return re.sub(r"\s*\(.*?\)", "", department.tr if language is Language.TR else department.en).strip()


def service_name(code: str, language: Language) -> str:
    """
    The service as the catalogue calls it; a code that is no longer there stands for itself.
    """
    service = catalogue().services.get(code)
    if service is None:
        return code
    return service.tr if language is Language.TR else service.en
