"""An HTTP service for trained models: `seq2see serve`. Its framework is imported only when a service starts."""
