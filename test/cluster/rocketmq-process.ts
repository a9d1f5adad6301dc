/** Apache RocketMQ 5.3.3 as it is published: a name server and one broker, each a Java process. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

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

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
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

export interface RocketmqProcess {
  readonly nameServer: string
  readonly broker: string
  stop(): void
}

/** Starts both in a directory of their own; the broker has the given name. */
export async function startRocketmq(directory: string, name: string): Promise<RocketmqProcess> {
  const [names, port] = [await freePort(), await freePort()]
  const children: ChildProcess[] = []
  const java = (main: string, config: string): ChildProcess => {
    mkdirSync(directory, { recursive: true })
    const file = join(directory, `${main.slice(main.lastIndexOf('.') + 1)}.conf`)
    writeFileSync(file, config)
    const child = spawn(
      'java',
      [
        '-Xmx512m',
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
    children.push(child)
    return child
  }
  const bind = 'bindAddress=127.0.0.1\n'
  const nameServer = java(
    'org.apache.rocketmq.namesrv.NamesrvStartup',
    `listenPort=${names}\n${bind}`,
  )
  await untilOpen(names, nameServer)
  const settings = {
    brokerName: name,
    brokerIP1: '127.0.0.1',
    listenPort: port,
    namesrvAddr: `127.0.0.1:${names}`,
    storePathRootDir: join(directory, 'store'),
    storePathCommitLog: join(directory, 'store', 'commitlog'),
    mappedFileSizeCommitLog: 16 * 1024 * 1024,
    diskMaxUsedSpaceRatio: 99,
    haListenPort: await freePort(),
  }
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`)
  const broker = java('org.apache.rocketmq.broker.BrokerStartup', lines.join('') + bind)
  await untilOpen(port, broker)
  return {
    nameServer: `127.0.0.1:${names}`,
    broker: `127.0.0.1:${port}`,
    stop() {
      for (const child of children) child.kill('SIGKILL')
    },
  }
}
