"""The scale-in controller: has the pods with the least work in hand stopped first."""
