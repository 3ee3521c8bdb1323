FUNCTIONS = {}


def definitions(n):
    return ""
