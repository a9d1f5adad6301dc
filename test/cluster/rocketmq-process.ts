/** Apache RocketMQ 5.3.3 as it is published: a name server and brokers, each a Java process. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { clusterInfo, nothing } from '@sagalog/protocol'
import { RemotingCaller } from './remoting-caller.js'

const pom = join(dirname(fileURLToPath(import.meta.url)), 'java', 'pom.xml')
const cache = join(dirname(pom), '..', '..', '..', 'node_modules', '.cache', 'cluster')

/** The class path of RocketMQ's own programs; Maven fetches them once. */
function classPath(): string {
  const file = join(cache, 'classpath-5.3.3.txt')
  if (!existsSync(file)) {
    mkdirSync(cache, { recursive: true })
    const goal = ['dependency:build-classpath', `-Dmdep.outputFile=${file}`]
    execFileSync('mvn', ['-q', '-B', '-f', pom, ...goal], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  }
  return readFileSync(file, 'utf8').trim()
}

/**
 * A port that nobody listens on, below those that the system gives to outgoing connections, where
 * one could take it before a Java process does. Steps of eight: a broker takes port - 2 as well.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + 8 * Math.floor(Math.random() * 2_400)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}

async function untilOpen(port: number, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`RocketMQ ended with ${child.exitCode}`)
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port })
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (isOpen) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

export interface RocketmqCluster {
  /** `host:port`. */
  readonly nameServer: string
  /** Their addresses, by name. */
  readonly brokers: ReadonlyMap<string, string>
  /** Ends one broker at once, as a lost machine would. */
  kill(name: string): void
  /** Starts one that was killed again, with what it has on its disk. */
  restart(name: string): Promise<void>
  /** What Apache's command line prints for a command, such as `consumerStatus -g group`. */
  mqadmin(...command: string[]): Promise<string>
  stop(): void
}

/** A broker listens before the name server knows it. */
async function untilRegistered(nameServer: string, addresses: Iterable<string>): Promise<void> {
  const wanted = [...addresses].toSorted()
  const caller = await RemotingCaller.connect(nameServer)
  for (;;) {
    const { payload } = await caller.call(clusterInfo, nothing)
    const known = payload?.brokers.map(({ brokerAddress }) => brokerAddress).toSorted()
    if (wanted.join() === known?.join()) break
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  caller.close()
}

/** Lines of a Java properties file. */
export type Settings = Readonly<Record<string, string | number | boolean>>

function startJava(directory: string, main: string, settings: Settings): ChildProcess {
  mkdirSync(directory, { recursive: true })
  const file = join(directory, `${main.slice(main.lastIndexOf('.') + 1)}.conf`)
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`)
  writeFileSync(file, lines.join(''))
  return spawn(
    'java',
    [
      '-Xmx512m',
      // Nothing here lives long enough for the code of the second compiler to pay off.
      '-XX:TieredStopAtLevel=1',
      '-XX:+UseSerialGC',
      `-Duser.home=${directory}`,
      `-Drocketmq.home.dir=${directory}`,
      '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED',
      '--add-exports=java.base/sun.nio.ch=ALL-UNNAMED',
      '-cp',
      classPath(),
      main,
      '-c',
      file,
    ],
    { stdio: 'ignore' },
  )
}

const bind = { bindAddress: '127.0.0.1' }

/**
 * Starts a name server and one master broker for each name, each with a directory of its own;
 * `settings` are all brokers'.
 */
export async function startCluster(
  directory: string,
  names: readonly string[],
  settings: Settings = {},
): Promise<RocketmqCluster> {
  const children = new Map<string, ChildProcess>()
  const brokers = new Map<string, string>()
  const namePort = await freePort()
  const nameServer = startJava(directory, 'org.apache.rocketmq.namesrv.NamesrvStartup', {
    listenPort: namePort,
    ...bind,
  })
  const startBroker = async (name: string): Promise<void> => {
    const home = join(directory, name)
    const port = Number(brokers.get(name)?.split(':')[1] ?? (await freePort()))
    brokers.set(name, `127.0.0.1:${port}`)
    const child = startJava(home, 'org.apache.rocketmq.broker.BrokerStartup', {
      brokerName: name,
      brokerIP1: '127.0.0.1',
      listenPort: port,
      namesrvAddr: `127.0.0.1:${namePort}`,
      storePathRootDir: join(home, 'store'),
      storePathCommitLog: join(home, 'store', 'commitlog'),
      mappedFileSizeCommitLog: 16 * 1024 * 1024,
      maxHashSlotNum: 10_000,
      maxIndexNum: 40_000,
      diskMaxUsedSpaceRatio: 99,
      haListenPort: await freePort(),
      ...bind,
      ...settings,
    })
    children.set(name, child)
    await untilOpen(port, child)
  }
  await untilOpen(namePort, nameServer)
  await Promise.all(names.map(startBroker))
  await untilRegistered(`127.0.0.1:${namePort}`, brokers.values())
  return {
    nameServer: `127.0.0.1:${namePort}`,
    brokers,
    kill(name) {
      children.get(name)?.kill('SIGKILL')
    },
    restart: startBroker,
    async mqadmin(...command) {
      const main = 'org.apache.rocketmq.tools.command.MQAdminStartup'
      const jvm = ['-XX:TieredStopAtLevel=1', `-Duser.home=${directory}`]
      const home = `-Drocketmq.home.dir=${directory}`
      const args = [...jvm, home, '-cp', classPath(), main, ...command]
      const where = ['-n', `127.0.0.1:${namePort}`]
      const { stdout } = await promisify(execFile)('java', [...args, ...where])
      // Its logger talks about itself first.
      return stdout.replace(/^.* \|-(?:INFO|WARN) .*\n/gm, '')
    },
    stop() {
      for (const child of [...children.values(), nameServer]) child.kill('SIGKILL')
    },
  }
}
