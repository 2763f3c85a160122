"""The page at `/`: static files, served by `paradex_sandbox.api.page`. No build step, nothing from elsewhere."""
