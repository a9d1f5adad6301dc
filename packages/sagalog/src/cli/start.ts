/** `sagalog start`: name server and broker for other processes, until a signal or a failed log. */
import type { RetentionOptions, TransactionOptions } from '@sagalog/broker'
import type { Durability } from '@sagalog/log-core'
import { InvalidArgumentError, Option } from 'commander'
import { openStandalone, type Standalone, type StandaloneOptions } from '../standalone.js'
import { errorText } from './error-text.js'
import { type CommandContext, type CommandGroup, EXIT, type ExitCode, withJson } from './program.js'
import { untilSignal } from './signals-node.js'
import { type StartMetrics, startMetrics } from './start-metrics.js'

interface StartOptions {
  readonly dir: string
  readonly host: string
  readonly port: number
  readonly nameServerPort: number
  readonly name?: string
  readonly advertise?: string
  readonly allowRemote?: true
  readonly durability: Durability
  readonly autoCreate: boolean
  readonly queues: number
  readonly checkAfter?: number
  readonly checkEvery?: number
  readonly retentionHours?: number
  readonly retentionBytes?: number
  readonly retentionCapBytes?: number
  readonly retentionUnread?: 'keep' | 'expire'
  readonly scrubHours?: number
  readonly metricsPort?: number
  readonly json?: true
}

const whole =
  (low: number, high: number) =>
  (text: string): number => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= low && value <= high) return value
    throw new InvalidArgumentError(`It is a whole number from ${low} to ${high}.`)
  }

const PORT = whole(0, 65_535)
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const HOURS = whole(0, 1_000_000)
const BYTES = whole(0, Number.MAX_SAFE_INTEGER)

export const startCommands: CommandGroup = (program, context) => {
  withJson(program.command('start'), 'print the ready line as JSON')
    .description("serve RocketMQ's protocol: name server and broker in one process")
    .option('--dir <dir>', 'the directory of the data', './data')
    .option('--host <host>', 'the address to listen on', '127.0.0.1')
    .option('--port <port>', 'the port of the broker; 0: any', PORT, 10_911)
    .option('--name-server-port <port>', 'the port of the name server; 0: any', PORT, 9_876)
    .option('--name <name>', 'the name of the broker in routes')
    .option('--advertise <host>', 'the host that clients are told to connect to')
    .option('--allow-remote', 'listen where other machines reach it; nobody is asked who he is')
    .addOption(
      new Option('--durability <level>', 'what an acknowledgement promises')
        .choices(['sync', 'os', 'memory'])
        .default('sync'),
    )
    .option('--no-auto-create', 'refuse to make a topic at its first send')
    .option('--queues <n>', 'queues of a topic that is made so', whole(1, 1_024), 4)
    .option('--check-after <ms>', 'age of a half message at its first check', whole(1, DAY_MS))
    .option('--check-every <ms>', 'time between two checks of it', whole(1, DAY_MS))
    .option('--retention-hours <n>', 'let messages go that are so old', HOURS)
    .option('--retention-bytes <n>', 'let the oldest go while the log is larger', BYTES)
    .option('--retention-cap-bytes <n>', 'above it, also what a group has not settled', BYTES)
    .addOption(
      new Option(
        '--retention-unread <what>',
        'what a group has not settled, below the cap',
      ).choices(['keep', 'expire']),
    )
    .option('--scrub-hours <n>', 'verify all closed segments again and again', whole(1, 87_600))
    .option('--metrics-port <port>', 'serve Prometheus metrics on the loopback; 0: any', PORT)
    .action(context.act((options) => start(context, options)))
}

async function start(context: CommandContext, options: StartOptions): Promise<ExitCode> {
  const { metricsPort } = options
  if (metricsPort === undefined) return await serve(context, options, undefined)
  const metrics = await startMetrics(context, metricsPort)
  try {
    return await serve({ ...context, disk: metrics.disk }, options, metrics)
  } finally {
    await metrics.close()
  }
}

async function serve(
  context: CommandContext,
  options: StartOptions,
  metrics: StartMetrics | undefined,
): Promise<ExitCode> {
  const served = metrics === undefined ? {} : { onServed: metrics.onServed }
  const server = await openStandalone({ ...standaloneOptions(options, context), ...served })
  metrics?.show(server.broker)
  const failed = new Promise<Error>((resolve) => server.broker.onFailure(resolve))
  server.broker.onNotice((notice) => context.terminal.tell(`sagalog: ${errorText(notice)}`))
  const stopped = untilSignal()
  await context.terminal.print(readyLine(server, options, metrics))
  const why = await Promise.race([stopped, failed])
  if (typeof why === 'string') context.terminal.tell(`sagalog: ${why}, stopping`)
  else context.terminal.tell(`sagalog: ${errorText(why)}`)
  await server.close()
  return typeof why === 'string' ? EXIT.fine : EXIT.failed
}

function standaloneOptions(options: StartOptions, ports: CommandContext): StandaloneOptions {
  const { advertise, allowRemote, checkAfter, checkEvery, name } = options
  const transactions: TransactionOptions = {
    ...(checkAfter === undefined ? {} : { checkAfterMs: checkAfter }),
    ...(checkEvery === undefined ? {} : { checkEveryMs: checkEvery }),
  }
  return {
    dir: options.dir,
    host: options.host,
    brokerPort: options.port,
    nameServerPort: options.nameServerPort,
    durability: options.durability,
    autoCreateTopics: options.autoCreate,
    topicQueues: options.queues,
    transactions,
    ...retentionOf(options),
    ...(options.scrubHours === undefined
      ? {}
      : { scrub: { everyMs: options.scrubHours * HOUR_MS } }),
    ports: { disk: ports.disk, clock: ports.clock },
    ...(advertise === undefined ? {} : { advertisedHost: advertise }),
    ...(allowRemote === undefined ? {} : { allowRemote }),
    ...(name === undefined ? {} : { name }),
  }
}

/** Without any of its options nothing is let go. */
function retentionOf(options: StartOptions): Pick<StandaloneOptions, 'retention'> {
  const { retentionBytes, retentionCapBytes, retentionHours, retentionUnread } = options
  const retention: RetentionOptions = {
    ...(retentionHours === undefined ? {} : { maxAgeMs: retentionHours * HOUR_MS }),
    ...(retentionBytes === undefined ? {} : { maxBytes: retentionBytes }),
    ...(retentionCapBytes === undefined ? {} : { capBytes: retentionCapBytes }),
    ...(retentionUnread === undefined ? {} : { unread: retentionUnread }),
  }
  return Object.keys(retention).length === 0 ? {} : { retention }
}

function readyLine(
  server: Standalone,
  { dir, json }: StartOptions,
  metrics: StartMetrics | undefined,
): string {
  const nameServer = `${server.host}:${server.nameServerPort}`
  const broker = `${server.host}:${server.brokerPort}`
  const served = metrics === undefined ? undefined : `127.0.0.1:${metrics.port}`
  if (json === true)
    return `${JSON.stringify({ ready: true, nameServer, broker, dir, metrics: served })}\n`
  const more = served === undefined ? '' : `, metrics http://${served}/metrics`
  return `sagalog is ready: name server ${nameServer}, broker ${broker}, data in ${dir}${more}\n`
}
