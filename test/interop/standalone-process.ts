/** `sagalog start` as a person starts it: a process of its own, known by its ready line. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const top = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const program = join(top, 'packages', 'sagalog', 'bin', 'sagalog.js')

export interface Ready {
  readonly nameServer: string
  readonly broker: string
  /** Where its metrics are, with `--metrics-port`. */
  readonly metrics?: string
}

export class StandaloneProcess {
  private readonly child: ChildProcess
  private readonly exited: Promise<number | null>
  readonly ready: Promise<Ready>

  constructor(directory: string, options: readonly string[] = []) {
    const args = [program, 'start', '--json', '--dir', directory, ...options]
    this.child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.exited = once(this.child, 'exit').then(([code]) => code as number | null)
    const { stdout } = this.child
    if (stdout === null) throw new Error('the server has no output')
    const line = once(createInterface({ input: stdout }), 'line')
    this.ready = Promise.race([
      line.then(([text]) => JSON.parse(String(text)) as Ready),
      this.exited.then((code) => {
        throw new Error(`the server ended with ${code}`)
      }),
    ])
    // Whoever stops it before it was ready does not ask.
    this.ready.catch(() => undefined)
  }

  /** Ends it in good order; gives its exit code. */
  stop(): Promise<number | null> {
    this.child.kill('SIGTERM')
    return this.exited
  }

  /** Ends it as a crash of the process does. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.exited
  }
}
