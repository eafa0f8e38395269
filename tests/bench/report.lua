-- One line of JSON at the end of a wrk run: whole counts instead of wrk's rounded figures.
-- Nothing here runs per request, so the load is the same as without it.
function done(summary, latency, requests)
   local e = summary.errors
   io.write(string.format(
      '\n@{"requests":%d,"us":%d,"bytes":%d,"p50":%g,"p99":%g,"max":%g,' ..
      '"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
      summary.requests, summary.duration, summary.bytes,
      latency:percentile(50), latency:percentile(99), latency.max,
      e.connect, e.read, e.write, e.status, e.timeout))
end
