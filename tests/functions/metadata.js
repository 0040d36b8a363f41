// The metadata service, as the context of Node.js tells it.

'use strict';

exports.learn = async (input, context) => ({
  whole: await context.metadata(),
  id: context.executionId,
  configuration: await context.configuration(),
  names: await context.secrets(),
  secret: await context.secrets('db/password'),
  token: await context.token(),
  user: await context.user(),
  roles: await context.roles(),
  endpoint: await context.endpoint('object-store'),
  missing: await context.secrets('other').catch((error) => [error.name, error.status]),
  shown: JSON.stringify(context),
});
