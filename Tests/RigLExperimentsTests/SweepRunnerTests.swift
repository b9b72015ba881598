import Foundation
import RigLCore
import Testing

@testable import RigLExperiments

/// What a sweep does with the processes of its runs, of a program that only pretends to train.
@Suite struct SweepRunnerTests {
  /// A killed sweep's process may have begun a run just when the next one does: it goes on with that run,
  /// and if that fails, it has failed.
  @Test func aRunThatAnotherProcessHasJustBegunGoesOn() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "rigl-runner-\(UUID().uuidString)"
    ).path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let program = """
      #!/bin/sh
      echo "$@" >> '\(folder)/calls'
      if [ "$2" = --resume ]; then
        echo '{"event": "error", "error": "no disk"}'
        exit 74
      fi
      mkdir -p "$4" && echo 'method: rigl' > "$4/config.yaml"
      echo '{"event": "error", "error": "the output folder exists already"}'
      exit 64

      """
    let binary = "\(folder)/rigl"
    try Data(program.utf8).write(to: URL(fileURLWithPath: binary))
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: binary)
    let plan = try SweepFile(yaml: "each: {data: [synthetic]}", path: "sweep.yaml").plan()
    let runner = try SweepRunner(
      plan, folder: "\(folder)/out", binary: binary, program: "1", jobs: 1, threads: 1)
    var failures: [SweepFailures.Failure] = []
    let outcome = try runner.run(shouldStop: { false }) { event in
      if case .failed(let failure) = event { failures.append(failure) }
    }
    #expect(outcome == SweepRunner.Outcome(finished: 0, failed: 1, left: 0))
    #expect(failures.map(\.error) == ["no disk"] && failures.map(\.status) == [74])
    let calls = try String(contentsOfFile: "\(folder)/calls", encoding: .utf8)
      .split(separator: "\n")
    #expect(calls.count == 2 && calls[1].hasPrefix("train --resume "), "\(calls)")
  }
}
