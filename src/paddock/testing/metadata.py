"""The conformance kit of the port Metadata."""

from paddock.testing.metadata_concurrency import ConcurrencyConformance
from paddock.testing.metadata_ledger import LedgerConformance
from paddock.testing.metadata_rows import RowsConformance


class MetadataConformance(RowsConformance, LedgerConformance, ConcurrencyConformance):
    """Every adapter of Metadata passes this class.

    A subclass provides the fixtures `metadata_url` and `spare_url`: addresses of two places with no store
    yet, others for each test.
    """
