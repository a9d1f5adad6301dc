/** `sagalog start` as a process of its own, as a person starts it: known by its ready line. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const top = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const program = join(top, 'packages', 'sagalog', 'bin', 'sagalog.js')

export interface BrokerProcess {
  readonly pid: number | undefined
  readonly host: string
  readonly port: number
  /** From the start of the process to its ready line. */
  readonly readyMs: number
  stop(): Promise<void>
}

/** Options of Node for the broker's process, for a profile: `--cpu-prof --cpu-prof-dir=...`. */
const nodeOptions = (process.env['SAGALOG_BENCH_NODE_OPTIONS'] ?? '').split(' ').filter(Boolean)

export async function startBroker(directory: string): Promise<BrokerProcess> {
  const startedMs = performance.now()
  const ports = ['--port', '0', '--name-server-port', '0']
  const child = spawn(
    process.execPath,
    [...nodeOptions, program, 'start', '--json', '--dir', directory, ...ports],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const exited = once(child, 'exit')
  const line = await Promise.race([firstLine(child), exited.then(() => undefined)])
  if (line === undefined) throw new Error('sagalog start ended before it was ready')
  const readyMs = performance.now() - startedMs
  const { broker } = JSON.parse(line) as { readonly broker: string }
  const at = broker.lastIndexOf(':')
  return {
    pid: child.pid,
    host: broker.slice(0, at),
    port: Number(broker.slice(at + 1)),
    readyMs,
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('the broker has no output')
  const [line] = (await once(createInterface({ input: stdout }), 'line')) as [string]
  return line
}
