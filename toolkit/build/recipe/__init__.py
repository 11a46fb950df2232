"""What a recipe says against the data that it is for, before the first step."""
