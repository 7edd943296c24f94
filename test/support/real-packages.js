// What the packages of test/namespace/real-packages.test.ts do, each by its own names. Imported by its children only.
//
// specifier, unique: how it is asked for, and what it is known by when it is unique. make: an instance of its own. is: whether it takes an
// instance for one of its own. use: its work. state: sets something in one, and looks for it in the other. later: another version of it is
// unique already, so that a namespace keeps its own, unless the base has this one, too.

const message = (run) => {
  try {
    return JSON.stringify(run());
  } catch (error) {
    return error.message.split('\n')[0] ?? '';
  }
};

const graphql = {
  unique: 'graphql',
  make: (m) => m.buildSchema('type Query { a(b: Int): Int }'),
  is: (m, schema) => schema instanceof m.GraphQLSchema,
  use: (m) => {
    const schema = m.buildSchema('type Query { sum(a: Int!, b: Int!): Int }');
    const rootValue = { sum: ({ a, b }) => a + b };
    const good = m.graphqlSync({ schema, rootValue, source: '{ sum(a: 20, b: 22) }' });
    const bad = m.graphqlSync({ schema, rootValue, source: '{ product }' });
    return [good.data.sum, bad.errors[0].message];
  },
  state: (first, second) => message(() => second.printSchema(graphql.make(first))),
};
const zod = {
  make: (m) => m.z.string(),
  is: (m, schema) => schema instanceof m.z.ZodString,
  use: ({ z }) => {
    const schema = z.object({ name: z.string().min(2), age: z.number() });
    const refused = schema.safeParse({ name: 'x', age: '7' });
    return [schema.parse({ name: 'Ada', age: 36 }), refused.error.issues.map((issue) => issue.path.join('.'))];
  },
};
const handlebars = {
  make: (m) => new m.SafeString('<b>'),
  is: (m, text) => text instanceof m.SafeString,
  use: (m) => m.compile('{{#each list}}{{this}};{{/each}}{{{raw}}}{{text}}')({ list: [1, 2], raw: '<', text: '<' }),
  state: (first, second) => {
    first.registerHelper('shout', (text) => text.toUpperCase());
    return message(() => second.compile('{{shout "a"}}')({}));
  },
};
export const probes = {
  'graphql as CommonJS': { ...graphql, specifier: 'graphql' },
  'graphql as ESM': { ...graphql, specifier: 'graphql/index.mjs' },
  'zod 4': {
    ...zod,
    specifier: 'zod',
    unique: 'zod',
    state: (first, second) => {
      first.z.config({ customError: () => 'ours' });
      const { message } = second.z.string().safeParse(1).error.issues[0];
      first.z.config({ customError: undefined });
      return message;
    },
  },
  'zod 3': {
    ...zod,
    specifier: 'zod3',
    unique: 'zod',
    later: true,
    state: (first, second) => {
      first.z.setErrorMap(() => ({ message: 'ours' }));
      const { message } = second.z.string().safeParse(1).error.issues[0];
      first.z.setErrorMap(first.z.defaultErrorMap);
      return message;
    },
  },
  'lodash-es': {
    specifier: 'lodash-es',
    unique: 'lodash-es',
    make: (m) => m.default([1]),
    is: (m, wrapped) => wrapped instanceof m.default,
    use: (m) => [
      m.sortBy([{ n: 3 }, { n: 1 }, { n: 2 }], 'n'),
      m
        .default([3, 1])
        .map((n) => n + 1)
        .value(),
    ],
    state: (first, second) => Number(second.uniqueId()) - Number(first.uniqueId()),
  },
  ajv: {
    specifier: 'ajv',
    unique: 'ajv',
    make: (m) => new m.Ajv(),
    is: (m, ajv) => ajv instanceof m.Ajv,
    use: (m) => {
      const ajv = new m.Ajv();
      const validate = ajv.compile({ type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] });
      return [validate({ n: 1 }), validate({ n: 'x' }), ajv.errorsText(validate.errors)];
    },
    state: (first, second) => {
      const fails = (m) => message(() => new m.Ajv().compile({ $ref: 'none' }));
      first.MissingRefError.prototype.ours = true;
      return [fails(second), second.MissingRefError.prototype.ours === true];
    },
  },
  '@opentelemetry/api': {
    specifier: '@opentelemetry/api',
    unique: '@opentelemetry/api',
    make: (m) => new m.ProxyTracerProvider(),
    is: (m, provider) => provider instanceof m.ProxyTracerProvider,
    use: (m) => {
      const context = m.ROOT_CONTEXT.setValue(m.createContextKey('key'), 1);
      return [m.trace.getTracer('t').startSpan('s').isRecording(), m.propagation.getBaggage(context) === undefined];
    },
    state: (first, second) => {
      const provider = { getTracer: () => ({ startSpan: () => 'ours' }) };
      const registered = first.trace.setGlobalTracerProvider(provider);
      const seen = second.trace.getTracer('t').startSpan('s');
      first.trace.disable();
      return [registered, seen, second.trace.getTracer('t').startSpan('s') === 'ours'];
    },
  },
  '@opentelemetry/sdk-metrics': {
    specifier: '@opentelemetry/sdk-metrics',
    unique: '@opentelemetry/sdk-metrics',
    make: (m) => new m.MeterProvider(),
    is: (m, provider) => provider instanceof m.MeterProvider,
    use: async (m) => {
      const reader = new (class extends m.MetricReader {
        async onForceFlush() {}
        async onShutdown() {}
      })();
      const meter = new m.MeterProvider({ readers: [reader] }).getMeter('m');
      const counter = meter.createCounter('c');
      for (const n of [1, 2, 3]) counter.add(n);
      const { resourceMetrics } = await reader.collect();
      return resourceMetrics.scopeMetrics[0].metrics[0].dataPoints[0].value;
    },
    state: (first, second) => {
      first.MeterProvider.prototype.ours = true;
      return second.MeterProvider.prototype.ours === true;
    },
  },
  'handlebars 4': { ...handlebars, specifier: 'handlebars', unique: 'handlebars' },
  'handlebars 3': { ...handlebars, specifier: 'handlebars3', unique: 'handlebars', later: true },
  semver: {
    specifier: 'semver',
    unique: 'semver',
    make: (m) => new m.SemVer('1.2.3'),
    is: (m, version) => version instanceof m.SemVer,
    use: (m) => [m.satisfies('1.9.0', '^1.2.3'), m.sort(['2.0.0', '1.10.0', '1.9.0']), m.valid('x')],
    // It takes versions of its own only.
    state: (first, second) => message(() => second.compare(new first.SemVer('1.2.3'), '1.2.3')),
  },
  express: {
    specifier: 'express',
    unique: 'express',
    make: (m) => new m.Route('/'),
    is: (m, route) => route instanceof m.Route,
    use: async (m) => {
      const app = m();
      app.use(m.json());
      app.post('/sum/:a', (request, response) =>
        response.status(201).json({ sum: Number(request.params.a) + request.body.b }),
      );
      const server = app.listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const response = await fetch(`http://127.0.0.1:${server.address().port}/sum/40`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', connection: 'close' },
        body: '{"b":2}',
      });
      const got = [response.status, await response.json()];
      await new Promise((resolve) => server.close(resolve));
      return got;
    },
    state: (first, second) => {
      first.request.ours = true;
      return second.request.ours === true;
    },
  },
};
