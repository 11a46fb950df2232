"""Networks: backbones, necks, heads, and the recognizer that joins them."""
