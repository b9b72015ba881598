import Foundation
import Testing

@Suite struct FailureTests {
  let data: SmallData
  let folder: TemporaryFolder

  init() throws {
    data = try SmallData()
    folder = try TemporaryFolder()
  }

  @Test func divergenceIs70AndNamesStepAndLayer() throws {
    let outcome = try Rigl.run(
      data.arguments(["--output", folder("run"), "--set", "learning_rate=1e30"]))
    #expect(outcome.status == 70)
    #expect(!outcome.hasCrashed)
    #expect(outcome.errors.contains("step "))
    #expect(outcome.errors.contains("fc"))
    #expect(outcome.errors.contains("There is no checkpoint yet"))
    #expect(try folder.names(in: "run/checkpoints").isEmpty)
  }

  @Test func divergenceKeepsTheLastGoodCheckpoint() throws {
    // All is well for an epoch, then the rate is 1e29.
    let outcome = try Rigl.run(
      data.arguments([
        "--output", folder("run"), "--keep", "1", "--set", "schedule=step", "--set",
        "milestones=[1]", "--set", "factor=1e30", "--checkpoint-every", "1",
      ]))
    #expect(outcome.status == 70)
    let good = "run/checkpoints/step-000000025.safetensors"
    #expect(outcome.errors.contains("The last good checkpoint is kept: \(folder(good))"))
    let evaluation = try Rigl.run("evaluate", folder("run"), "--json")
    #expect(evaluation.status == 0)
    #expect(try evaluation.object()["step"] as? Int == 25)
  }

  @Test func divergenceAtTheLastStepIs70() throws {
    let outcome = try Rigl.run(
      data.arguments([
        "--output", folder("run"), "--set", "learning_rate=1e38", "--set", "train_samples=104",
        "--epochs", "1", "--method", "static", "--set", "weight_decay=1e38",
      ]))
    #expect(outcome.status == 70)
    #expect(outcome.output.contains("accuracy 100") == false)
    #expect(try folder.names(in: "run/checkpoints").isEmpty)
  }

  @Test(arguments: ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
  func aTruncatedFileIs65(name: String) throws {
    let path = "\(data.path)/\(name)"
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    try bytes.dropLast().write(to: URL(fileURLWithPath: path))
    let outcome = try Rigl.run(data.arguments(["--output", folder("run")]))
    #expect(outcome.status == 65)
    #expect(outcome.errors.contains(path))
    #expect(try folder.names().isEmpty)
  }

  @Test func whatIsMissingIs66() throws {
    try FileManager.default.removeItem(atPath: "\(data.path)/train-labels-idx1-ubyte")
    for arguments in [
      data.arguments(), ["train", "--data", "/nowhere/at/all"], ["train", "/nowhere/c.yaml"],
      ["train", "--resume", "/nowhere"], ["train", "--resume", folder.path],
      ["evaluate", "/nowhere"], ["inspect", folder.path], ["predict", "/nowhere", "file"],
      ["train", "--data", "mnist", "--data-folder", "/nowhere"],
    ] {
      let outcome = try Rigl.run(arguments)
      #expect(outcome.status == 66, "\(arguments)")
      #expect((1...3).contains(outcome.errors.split(separator: "\n").count))
    }
  }

  @Test func aFolderThatCannotBeMadeIs74() throws {
    // Not a matter of permissions, which do not apply to everyone.
    let outcome = try Rigl.run(data.arguments(["--output", "/dev/null/run"]))
    #expect(outcome.status == 74)
    #expect(outcome.errors.contains("/dev/null/run"))
  }

  /// Two trainings in one folder would mix their metrics and remove each other's checkpoints.
  @Test func aFolderInUseIs64UntilItsTrainingIsKilled() throws {
    let endless = data.arguments(["--output", folder("run"), "--epochs", "1000000"])
    let first = try RunningCommand(endless)
    try first.waitForOutput("  loss ")
    let second = try Rigl.run("train", "--resume", folder("run"))
    #expect(second.status == 64)
    #expect(second.errors.contains("\(folder("run")): another training is writing"))
    #expect(second.errors.contains("--output"))
    #expect(first.isRunning)
    // To look at it is no harm.
    #expect(try Rigl.run("evaluate", folder("run"), "--json").status == 0)

    first.send(SIGKILL)
    #expect(try first.wait().hasCrashed)
    let third = try RunningCommand(["train", "--resume", folder("run")])
    try third.waitForOutput("  loss ")
    #expect(try Rigl.run("train", "--resume", folder("run")).status == 64)
    third.send(SIGINT)
    #expect(try third.wait().status == 130)
  }

  @Test func aFullDiskIs74AndLeavesNothingHalfWritten() throws {
    // The largest file may have 8 blocks of 512 bytes (or 1024): less than a checkpoint.
    let arguments = data.arguments(["--output", folder("run"), "--set", "hidden=[200,200]"])
    let command = try RunningCommand(
      ["-c", "ulimit -f 8; exec \"$0\" \"$@\"", Rigl.binary] + arguments, executable: "/bin/sh")
    let outcome = try command.wait()
    #expect(!outcome.hasCrashed)
    #expect(outcome.status == 74)
    #expect(outcome.errors.contains("safetensors"))
    #expect(try folder.names(in: "run/checkpoints").isEmpty)
  }

  @Test func aDamagedCheckpointIsPassedOverOrNamed() throws {
    try data.train(in: folder("run"))
    let names = try folder.names(in: "run/checkpoints").filter { $0.hasPrefix("step-") }
    try #require(names.count == 2)
    func damage(_ name: String) throws {
      var bytes = try folder.bytes(of: "run/checkpoints/\(name)")
      bytes[bytes.count / 2] ^= 1
      try bytes.write(to: URL(fileURLWithPath: folder("run/checkpoints/\(name)")))
    }
    try damage(names[1])
    let older = try Rigl.run("evaluate", folder("run"), "--json")
    #expect(older.status == 0)
    #expect(older.errors.contains("warning") && older.errors.contains(names[1]))
    #expect(try older.object()["step"] as? Int == 50)
    try damage(names[0])
    let none = try Rigl.run("evaluate", folder("run"))
    #expect(none.status == 65)
    #expect(none.errors.contains(names[0]))
  }
}
