"""What an installation is made of: pins with hashes, licences, bundled libraries, bills of materials, known holes.

Run from a checkout (`make notice`, `make sbom`, `make audit-licences`, ...); no part of the wheel and of no image.
"""
