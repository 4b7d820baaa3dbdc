"""The commands of contracts: their documents, and whether a change breaks whoever reads them."""
