/** `npm start`: install, build, serve the page. `--port N` (4173), `--host` to serve other machines. */
import { parseArgs } from 'node:util';
import { ensureInstalled, ensureNative, root } from './ensure.mjs';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '4173' },
    host: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  console.log('npm start [-- --port N] [--host]   build the page and serve it');
  process.exit(0);
}
const port = Number(values.port);
if (!Number.isInteger(port) || port < 0 || port > 65535) {
  console.error(`skep: '${values.port}' is no port number`);
  process.exit(2);
}

ensureInstalled();
await ensureNative();
const { build, preview } = await import('vite');
const config = { root: `${root}/ui/web`, configFile: `${root}/ui/web/vite.config.ts` };
console.log('Building the page …');
// Warnings here are of packages' own code; errors stop the build.
await build({ ...config, logLevel: 'error' });
const server = await preview({ ...config, preview: { port, host: values.host } });
const { local, network } = server.resolvedUrls;
for (const url of [...local, ...network]) console.log(`skep is at ${url}`);
console.log('Ctrl-C stops it.');
