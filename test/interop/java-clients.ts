/**
 * The official Java clients as a child process: found, compiled and spoken to by lines. Maven
 * fetches the client's jars once; what was compiled is kept below node_modules/.cache.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const folder = join(dirname(fileURLToPath(import.meta.url)), 'java')
const cache = join(folder, '..', '..', '..', 'node_modules', '.cache', 'interop')

/** Why the clients can't run here, or now; undefined when they can. */
export function whySkipped(): string | undefined {
  if (process.env['SAGALOG_FULL'] !== '1' && process.env['SAGALOG_INTEROP'] !== '1')
    return 'part of the full run; npm run test:interop runs them alone'
  for (const program of ['java', 'javac', 'mvn']) {
    try {
      execFileSync(program, ['-version'], { stdio: 'ignore' })
    } catch {
      return `${program} is not installed`
    }
  }
  return undefined
}

/** The class path of the clients and of the driver, which is compiled when it changed. */
export function compiledClassPath(): string {
  const sources = join(folder, 'src', 'interop')
  const files = readdirSync(sources).map((name) => join(sources, name))
  const pom = join(folder, 'pom.xml')
  const hash = createHash('sha256')
  for (const file of [pom, ...files.toSorted()]) hash.update(readFileSync(file))
  const home = join(cache, hash.digest('hex').slice(0, 16))
  const done = join(home, 'classpath.txt')
  if (existsSync(done)) return readFileSync(done, 'utf8')
  mkdirSync(home, { recursive: true })
  const jars = join(home, 'jars.txt')
  const goal = ['dependency:build-classpath', `-Dmdep.outputFile=${jars}`]
  execFileSync('mvn', ['-q', '-B', '-f', pom, ...goal], { stdio: ['ignore', 'ignore', 'inherit'] })
  const classes = join(home, 'classes')
  const classPath = readFileSync(jars, 'utf8').trim()
  execFileSync('javac', ['-nowarn', '-cp', classPath, '-d', classes, ...files], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const whole = `${classes}:${classPath}`
  writeFileSync(done, whole)
  return whole
}

/**
 * A client that has balanced its queues looks again after 20 s: so long would the first retry of a
 * new group wait for a consumer.
 */
const settings = ['-Drocketmq.client.rebalance.waitInterval=1000', '-Xmx256m']

/** One line of the driver. */
export type Said = Readonly<Record<string, string | number | boolean | null>>

export class JavaClients {
  private readonly child: ChildProcess
  private readonly lines: Said[] = []
  private wake: () => void = () => undefined
  private ended: string | undefined

  constructor(classPath: string, nameServer: string, home: string, more: readonly string[] = []) {
    this.child = spawn(
      'java',
      [...settings, ...more, `-Duser.home=${home}`, '-cp', classPath, 'interop.Driver', nameServer],
      { stdio: ['pipe', 'pipe', 'ignore'] },
    )
    const { stdout } = this.child
    if (stdout === null) throw new Error('the driver has no output')
    createInterface({ input: stdout }).on('line', (line) => {
      // What the clients themselves print is no JSON.
      if (line.startsWith('{')) this.lines.push(JSON.parse(line) as Said)
      this.wake()
    })
    this.child.on('exit', (code) => {
      this.ended = `the driver ended with ${code}`
      this.wake()
    })
  }

  /** The next line in which the name stands; all lines up to it. */
  private async until(name: string): Promise<Said[]> {
    for (;;) {
      const at = this.lines.findIndex((line) => name in line)
      if (at >= 0) return this.lines.splice(0, at + 1)
      if (this.ended !== undefined) throw new Error(this.ended)
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }

  async ready(): Promise<void> {
    await this.until('ready')
  }

  use(nameServer: string): void {
    this.child.stdin?.write(`use ${nameServer}\n`)
  }

  /** Runs a scenario; gives what it said. `whenWaiting` is called where it asks for something. */
  async run(scenario: string, whenWaiting?: () => Promise<void>): Promise<Said[]> {
    this.child.stdin?.write(`run ${scenario}\n`)
    const said: Said[] = []
    if (whenWaiting !== undefined) {
      said.push(...(await this.until('waiting')))
      await whenWaiting()
      this.child.stdin?.write('go\n')
    }
    said.push(...(await this.until('end')))
    const last = said.at(-1)
    if (last?.['end'] !== scenario || last['error'] !== undefined)
      throw new Error(`${scenario}: ${JSON.stringify(last)} after ${JSON.stringify(said)}`)
    return said
  }

  stop(): void {
    this.child.kill('SIGKILL')
  }
}
