/**
 * Apache RocketMQ 5.3.3 as it is published, name server and broker each a Java process with its
 * settings left alone, driven by its own Java client in a third. Maven fetches the jars once; what
 * javac made of the load program is kept below node_modules/.cache.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { freePort, isOpen } from './peer-servers.js'
import { processorMs, type RemotingPeer, residentMib, type Sample } from './remoting-peer.js'

const java = join(dirname(fileURLToPath(import.meta.url)), '..', 'java')
const cache = join(java, '..', '..', 'node_modules', '.cache', 'bench')
/** How long fresh processes are left alone before their memory is read. */
const SETTLE_MS = 1_000

/** Why RocketMQ can't run here; undefined when it can. */
export function whyNoRocketmq(): string | undefined {
  if (process.env['SAGALOG_BENCH_ALONE'] === '1') return 'SAGALOG_BENCH_ALONE is set'
  for (const program of ['java', 'javac', 'mvn']) {
    try {
      execFileSync(program, ['-version'], { stdio: 'ignore' })
    } catch {
      return `${program} is not installed`
    }
  }
  return undefined
}

/** The class path of broker, client and load program, which is compiled when it changed. */
function classPath(): string {
  const sources = join(java, 'src', 'bench')
  const files = readdirSync(sources).map((name) => join(sources, name))
  const pom = join(java, 'pom.xml')
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
  const found = readFileSync(jars, 'utf8').trim()
  execFileSync('javac', ['-nowarn', '-cp', found, '-d', classes, ...files], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  writeFileSync(done, `${classes}:${found}`)
  return `${classes}:${found}`
}

async function untilOpen(port: number, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`RocketMQ ended with ${child.exitCode}`)
    if (await isOpen(port)) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** The Java processes of one run, in one directory. */
class JavaProcesses {
  private readonly directory: string
  private readonly jars = classPath()
  readonly children: ChildProcess[] = []

  constructor(directory: string) {
    this.directory = directory
    mkdirSync(directory, { recursive: true })
  }

  start(heap: string, args: readonly string[]): ChildProcess {
    const child = spawn(
      'java',
      [
        `-Xmx${heap}`,
        `-Duser.home=${this.directory}`,
        `-Drocketmq.home.dir=${this.directory}`,
        '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED',
        '--add-exports=java.base/sun.nio.ch=ALL-UNNAMED',
        '-cp',
        this.jars,
        ...args,
      ],
      { stdio: ['pipe', 'pipe', 'ignore'] },
    )
    this.children.push(child)
    return child
  }

  /** With the settings that place it; all others are RocketMQ's own. */
  startServer(main: string, settings: Readonly<Record<string, string | number>>): ChildProcess {
    const file = join(this.directory, `${main.slice(main.lastIndexOf('.') + 1)}.conf`)
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`)
    writeFileSync(file, lines.join(''))
    const child = this.start('2g', [main, '-c', file])
    child.stdout?.resume()
    return child
  }

  async close(): Promise<void> {
    const ended = this.children.map((child) =>
      child.exitCode === null
        ? new Promise((resolve) => child.once('exit', resolve))
        : Promise.resolve(),
    )
    for (const child of this.children) child.kill('SIGKILL')
    await Promise.all(ended)
  }
}

async function startServers(processes: JavaProcesses, directory: string): Promise<number> {
  const [names, port, haListenPort] = [await freePort(), await freePort(), await freePort()]
  const host = '127.0.0.1'
  const nameServer = processes.startServer('org.apache.rocketmq.namesrv.NamesrvStartup', {
    listenPort: names,
    bindAddress: host,
  })
  await untilOpen(names, nameServer)
  const broker = processes.startServer('org.apache.rocketmq.broker.BrokerStartup', {
    bindAddress: host,
    brokerIP1: host,
    listenPort: port,
    haListenPort,
    namesrvAddr: `${host}:${names}`,
    storePathRootDir: join(directory, 'store'),
    storePathCommitLog: join(directory, 'store', 'commitlog'),
    // A disk that is three quarters full would make it delete and refuse.
    diskMaxUsedSpaceRatio: 99,
  })
  await untilOpen(port, broker)
  return names
}

/** The load program: one line in, one line of JSON out. */
class Load {
  readonly child: ChildProcess
  private readonly waiting: ((line: string) => void)[] = []
  private ended: Error | undefined

  constructor(child: ChildProcess) {
    this.child = child
    const { stdout } = child
    if (stdout === null) throw new Error('the load program has no output')
    createInterface({ input: stdout }).on('line', (line) => {
      // What the client itself prints is no JSON.
      if (line.startsWith('{')) this.waiting.shift()?.(line)
    })
    child.once('exit', (code) => {
      this.ended = new Error(`the load program ended with ${code}`)
      for (const resolve of this.waiting.splice(0)) resolve('{"error":"it ended"}')
    })
  }

  async ask(words: readonly (string | number)[]): Promise<Sample> {
    if (this.ended !== undefined) throw this.ended
    const answer = new Promise<string>((resolve) => void this.waiting.push(resolve))
    this.child.stdin?.write(`${words.join(' ')}\n`)
    const sample = JSON.parse(await answer) as Sample & { readonly error?: string }
    if (sample.error !== undefined) throw new Error(`RocketMQ, ${words.join(' ')}: ${sample.error}`)
    return sample
  }
}

export async function rocketmqPeer(directory: string): Promise<RemotingPeer> {
  const home = join(directory, 'rocketmq')
  const processes = new JavaProcesses(home)
  try {
    const startedMs = performance.now()
    const nameServer = await startServers(processes, home)
    const readyMs = performance.now() - startedMs
    const servers = [...processes.children]
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    const sum = (of: (pid: number | undefined) => number): number =>
      servers.reduce((total, { pid }) => total + of(pid), 0)
    const idleMib = sum(residentMib)
    const load = new Load(processes.start('1g', ['bench.Load', `127.0.0.1:${nameServer}`]))
    // The broker is known to the name server, and both machines of Java are warm.
    await load.ask(['warm', 3_000])
    return {
      peer: 'RocketMQ 5.3.3',
      durability: 'os',
      start: { readyMs, idleMib },
      sends: (callers, durationMs) => load.ask(['sends', callers, durationMs]),
      batches: (callers, messages, durationMs) =>
        load.ask(['batches', callers, messages, durationMs]),
      consume: (messages) => load.ask(['consume', messages]),
      endToEnd: (perSecond, durationMs) => load.ask(['end-to-end', perSecond, durationMs]),
      transactions: (callers, durationMs) => load.ask(['transactions', callers, durationMs]),
      cpuMs: () => ({ client: processorMs(load.child.pid), broker: sum(processorMs) }),
      earlyReplies: async () => 0,
      close: () => processes.close(),
    }
  } catch (error) {
    await processes.close()
    throw error
  }
}
