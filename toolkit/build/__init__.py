"""The one place where a configuration section becomes an object, one file a section."""
