"""What a change does to each stack, judged and told to the person who reviews it: from the engine's preview to one comment and one exit code."""
