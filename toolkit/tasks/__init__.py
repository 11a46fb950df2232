"""One verb a file: run(config) -> Report. Only tasks and interfaces print or write reports."""
