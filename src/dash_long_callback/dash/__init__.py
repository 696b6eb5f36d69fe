"""All that knows Dash, besides what answers its requests: how callbacks are declared and called."""
