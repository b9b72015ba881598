// Tries random files of settings: settings-fuzz FIRST COUNT. A trap ends the process after the line
// that says which file it was; `settings-fuzz show NUMBER` prints that file.

import Foundation
import RigLCore

/// Prints a line at once, before a trap can lose it.
private func say(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }

private func fail(_ what: String) -> Never {
  say(what)
  exit(1)
}

let arguments = CommandLine.arguments.dropFirst()
if !RandomSettings.missingKeys.isEmpty {
  fail("no generator for \(RandomSettings.missingKeys.joined(separator: ", "))")
}
if arguments.first == "show", let number = arguments.last.flatMap({ Int($0) }) {
  say(RandomSettings(number: number).yaml)
  exit(0)
}
guard arguments.count == 2, let first = arguments.first.flatMap({ Int($0) }),
  let count = arguments.last.flatMap({ Int($0) }), count >= 0
else { fail("settings-fuzz FIRST COUNT, or settings-fuzz show NUMBER") }

var (refused, trained, slowest) = ([RigLError.Kind: Int](), 0, (seconds: 0.0, number: first))
for number in first..<first + count {
  say("file \(number)")
  let started = Date()
  do {
    if try SettingsTrial(yaml: RandomSettings(number: number).yaml).run() { trained += 1 }
  } catch let error as RigLError {
    refused[error.kind, default: 0] += 1
    let lines = error.description.split(separator: "\n")
    if lines.count > 2 || error.what.count > 600 { fail("a message too long: \(error)") }
  } catch {
    fail("\(error)")
  }
  let seconds = Date().timeIntervalSince(started)
  if seconds > slowest.seconds { slowest = (seconds, number) }
}
let kinds = refused.map { "\($0.value) with \($0.key)" }.sorted().joined(separator: ", ")
say(
  "\(count) files: \(trained) trained, refused \(kinds.isEmpty ? "none" : kinds); the slowest took "
    + "\((slowest.seconds * 10).rounded() / 10) s, \(slowest.number)")
