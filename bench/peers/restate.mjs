/** A service of Restate with three durable steps; `where` is a directory for its server. */
import * as restate from '@restatedev/restate-sdk'
import * as clients from '@restatedev/restate-sdk-clients'
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { askedLoad, load } from './load.mjs'

// Its SDK means Node 22 and newer; this is all that it misses on 20.
Promise.withResolvers ??= () => {
  const deferred = {}
  deferred.promise = new Promise((resolve, reject) => Object.assign(deferred, { resolve, reject }))
  return deferred
}

const { where, ...asked } = askedLoad()
const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
const three = restate.service({
  name: 'three',
  handlers: {
    async run(context) {
      for (const name of ['a', 'b', 'c']) await context.run(name, async () => 1)
    },
  },
})
const [served, ingress, admin, node] = [
  await freePort(),
  await freePort(),
  await freePort(),
  await freePort(),
]
await restate.endpoint().bind(three).listen(served)
// The program itself: what the package's command starts is not ended with it.
const program = `@restatedev/restate-server-${process.platform}-${process.arch}/package.json`
const bin = join(dirname(createRequire(import.meta.url).resolve(program)), 'bin', 'restate-server')
const server = spawn(bin, ['--base-dir', where], {
  stdio: ['ignore', 'ignore', 'ignore'],
  env: {
    ...process.env,
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
    RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
    RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${node}`,
    DO_NOT_TRACK: '1',
  },
})
process.on('exit', () => server.kill('SIGKILL'))
const register = async () => {
  for (let tries = 0; tries < 100; tries += 1) {
    const answer = await fetch(`http://127.0.0.1:${admin}/deployments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ uri: `http://127.0.0.1:${served}` }),
    }).catch(() => undefined)
    if (answer?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error('Restate did not take the service within 20 s')
}
await register()
const client = clients.connect({ url: `http://127.0.0.1:${ingress}` }).serviceClient(three)
await load(() => client.run(), asked)
process.exit(0)
