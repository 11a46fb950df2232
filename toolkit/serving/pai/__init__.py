"""The functions of PAI's match and retrieval services, as their clients call them."""
