// Starts Swagger UI. The document shows what a role may do, so it is fetched with the token and again when that changes.
window.onload = () => {
  const token = () => window.ui?.authSelectors.authorized()?.getIn(["JWT", "value"]);
  const again = (original, system) => (payload) => {
    const done = original(payload);
    system.specActions.download(system.specSelectors.url());
    return done;
  };
  const followPrivileges = () => ({
    statePlugins: { auth: { wrapActions: { authorizeWithPersistOption: again, logoutWithPersistOption: again } } },
  });
  window.ui = SwaggerUIBundle({
    url: "../",
    dom_id: "#swagger-ui",
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    plugins: [SwaggerUIBundle.plugins.DownloadUrl, followPrivileges],
    layout: "StandaloneLayout",
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    filter: true,
    persistAuthorization: true,
    tryItOutEnabled: true,
    requestInterceptor: (request) => {
      // Swagger 2.0 has people type the whole header, OpenAPI 3.1 the token alone.
      if (request.loadSpec && token()) request.headers.Authorization = token().replace(/^(Bearer )?/, "Bearer ");
      return request;
    },
  });
};
