// A server or a client of Node's http2 module, and of @grpc/grpc-js where it is installed.
// node node_peer.js serve|serve-tls|ask|grpc-serve|grpc-ask ARGUMENTS...; a server prints its port.
'use strict'
const assert = require('node:assert')
const crypto = require('node:crypto')
const fs = require('node:fs')
const http2 = require('node:http2')

const [what, ...rest] = process.argv.slice(2)
const collect = async stream => {
  const parts = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts)
}

function answer (stream, headers) {
  const path = headers[':path']
  stream.on('error', () => {})
  if (path === '/hints') {
    stream.additionalHeaders({ ':status': 103, link: '</a.css>; rel=preload' })
    stream.respond({ ':status': 200, 'set-cookie': ['a=1', 'b=2'] })
    stream.end('hinted')
  } else if (path === '/cancel') {
    stream.respond({ ':status': 200 })
    stream.write('begun')
    stream.on('aborted', () => { cancelled += 1 })
  } else if (path === '/cancelled') {
    stream.respond({ ':status': 200 })
    stream.end(String(cancelled))
  } else if (path === '/reset') {
    stream.respond({ ':status': 200 })
    stream.write('half', () => stream.destroy(new Error('as told')))
  } else {
    stream.respond({ ':status': 200, 'x-method': headers[':method'] }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': 'yes' }))
    stream.pipe(stream)
  }
}
let cancelled = 0

function serve (options) {
  const server = options.key ? http2.createSecureServer(options) : http2.createServer(options)
  server.on('stream', answer)
  server.listen(0, '127.0.0.1', () => console.log(server.address().port))
}

function call (session, headers, body) {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers, { endStream: body === undefined })
    const got = { hints: 0 }
    stream.on('headers', () => { got.hints += 1 })
    stream.on('response', fields => { got.head = fields })
    stream.on('trailers', fields => { got.trailers = fields })
    stream.on('error', reject)
    const parts = []
    stream.on('data', part => parts.push(part))
    stream.on('end', () => { got.body = Buffer.concat(parts); resolve(got) })
    if (body !== undefined) stream.end(body)
  })
}

async function ask (url, ca, settings) {
  const session = http2.connect(url, { ca: ca && fs.readFileSync(ca), settings })
  session.on('error', error => { throw error })
  const same = async size => {
    const body = crypto.randomBytes(size)
    const got = await call(session, { ':method': 'POST', ':path': '/echo' }, body)
    assert.strictEqual(got.head[':status'], 200)
    assert.strictEqual(got.head['x-method'], 'POST')
    assert.ok(got.body.equals(body))
    assert.strictEqual(got.trailers['x-end'], 'yes')
  }
  for (const size of [0, 1, 16384, 65535, 65536, 5000000]) await same(size)
  await Promise.all(Array.from({ length: 200 }, () => same(2000)))
  const hinted = await call(session, { ':path': '/hints' })
  assert.strictEqual(hinted.hints, 1)
  assert.deepStrictEqual(hinted.head['set-cookie'], ['a=1', 'b=2'])
  const stream = session.request({ ':path': '/cancel' })
  await new Promise(resolve => stream.on('data', resolve))
  stream.close(http2.constants.NGHTTP2_CANCEL)
  let seen = '0'
  for (let turn = 0; turn < 100 && seen === '0'; turn++) {
    await new Promise(resolve => setTimeout(resolve, 20))
    seen = (await call(session, { ':path': '/cancelled' })).body.toString()
  }
  assert.notStrictEqual(seen, '0')
  await assert.rejects(call(session, { ':path': '/reset' }), { code: 'ERR_HTTP2_STREAM_ERROR' })
  await new Promise((resolve, reject) => session.ping(error => error ? reject(error) : resolve()))
  await new Promise(resolve => session.close(resolve))
}

const raw = { requestSerialize: b => b, requestDeserialize: b => b, responseSerialize: b => b, responseDeserialize: b => b }
const service = {
  Unary: { path: '/t/Unary', requestStream: false, responseStream: false, ...raw },
  Down: { path: '/t/Down', requestStream: false, responseStream: true, ...raw },
  Up: { path: '/t/Up', requestStream: true, responseStream: false, ...raw },
  Both: { path: '/t/Both', requestStream: true, responseStream: true, ...raw }
}

function grpcServe (folder) {
  const grpc = require(folder)
  const server = new grpc.Server()
  server.addService(service, {
    Unary: (one, done) => {
      if (one.request.toString() === 'fail') return done({ code: grpc.status.NOT_FOUND, details: 'no ü' })
      const trailers = new grpc.Metadata()
      trailers.set('x-seen', one.metadata.get('x-mine')[0] || '')
      done(null, one.request, trailers)
    },
    Down: one => { for (let i = 0; i < 5; i++) one.write(Buffer.concat([Buffer.from(`${i}:`), one.request])); one.end() },
    Up: async (one, done) => { done(null, await collect(one)) },
    Both: one => { one.on('data', part => one.write(part)); one.on('end', () => one.end()) }
  })
  const open = grpc.ServerCredentials.createInsecure()
  server.bindAsync('127.0.0.1:0', open, (error, port) => { if (error) throw error; console.log(port) })
}

async function grpcAsk (folder, address, ca) {
  const grpc = require(folder)
  const Client = grpc.makeGenericClientConstructor(service, 't')
  const trust = ca ? grpc.credentials.createSsl(fs.readFileSync(ca)) : grpc.credentials.createInsecure()
  const client = new Client(address, trust)
  const mine = new grpc.Metadata()
  mine.set('x-mine', 'here')
  const unary = data => new Promise((resolve, reject) => {
    let trailers
    const one = client.Unary(Buffer.from(data), mine, { deadline: Date.now() + 10000 }, (error, got) =>
      error ? reject(error) : setImmediate(() => resolve([got.toString(), trailers && trailers.get('x-seen')[0]])))
    one.on('status', status => { trailers = status.metadata })
  })
  assert.deepStrictEqual(await unary('hello'), ['hello', 'here'])
  await assert.rejects(unary('fail'), { code: grpc.status.NOT_FOUND, details: 'no ü' })
  const many = await Promise.all(Array.from({ length: 200 }, (_, i) => unary(`n${i}`)))
  assert.deepStrictEqual(many.map(pair => pair[0]), Array.from({ length: 200 }, (_, i) => `n${i}`))
  assert.strictEqual((await collect(client.Down(Buffer.from('x')))).toString(), '0:x1:x2:x3:x4:x')
  const up = await new Promise((resolve, reject) => {
    const one = client.Up((error, got) => error ? reject(error) : resolve(got.toString()))
    for (const part of ['a', 'b', 'c']) one.write(Buffer.from(part))
    one.end()
  })
  assert.strictEqual(up, 'abc')
  const both = client.Both()
  for (let i = 0; i < 100; i++) both.write(Buffer.alloc(10000, i))
  both.end()
  assert.strictEqual((await collect(both)).length, 1000000)
  client.close()
}

const [first, second, third] = rest
const jobs = {
  serve: () => serve({ settings: third ? JSON.parse(third) : undefined }),
  'serve-tls': () => serve({ key: fs.readFileSync(first), cert: fs.readFileSync(second) }),
  ask: () => ask(first, second, third ? JSON.parse(third) : undefined),
  'grpc-serve': () => grpcServe(first),
  'grpc-ask': () => grpcAsk(first, second, third)
}
Promise.resolve(jobs[what]()).catch(error => { console.error(error); process.exit(1) })
