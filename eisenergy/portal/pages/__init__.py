"""The pages, a module per topic. Each has a :class:`eisenergy.portal.routes.Routes` whose every entry names its rule."""
