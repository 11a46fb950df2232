"""One loss a file, all with one signature: loss(outputs, labels) -> scalar."""
