/** Serves orders on port 3000, with the data in `./data`. */
import { nodeClock } from '@sagalog/kernel/node'
import { Sagalog } from 'sagalog'
import { orderApp } from './app.js'

const sagalog = await Sagalog.open({ dir: './data' })
const app = await orderApp(sagalog.events, nodeClock())
process.once('SIGINT', () => void app.close().then(() => sagalog.close()))
console.log(await app.listen({ port: 3000 }))
