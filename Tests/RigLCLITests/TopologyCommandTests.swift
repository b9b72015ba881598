import Foundation
import Testing

/// `rigl train --topology`, `--method small-dense` and `--big-sparse`.
@Suite struct TopologyCommandTests {
  private let data: SmallData
  private let folder: TemporaryFolder

  init() throws {
    data = try SmallData()
    folder = try TemporaryFolder()
  }

  /// Arguments without a sparsity, which would ask for other connections than a file's.
  private func arguments(_ more: [String]) -> [String] {
    [
      "train", "--data", data.path, "--epochs", "1", "--set", "hidden=[24,16]", "--set",
      "validation=100", "--set", "batch_size=20", "--set", "update_interval=10",
    ] + more
  }

  private func connections(_ run: String) throws -> [String: Int] {
    let run = try Rigl.run("inspect", folder(run), "--json").object()
    let layers = (run["network"] as? [String: Any])?["layers"] as? [[String: Any]] ?? []
    return Dictionary(
      uniqueKeysWithValues: layers.compactMap { layer in
        (layer["name"] as? String).flatMap { name in
          (layer["connections"] as? Int).map { (name, $0) }
        }
      })
  }

  private func list(_ count: Int, columns: Int) -> String {
    (0..<count).map { "\($0 / columns),\($0 % columns)\n" }.joined()
  }

  @Test func filesAreGivenByFlagOrSetting() throws {
    try folder.write("row,column\n" + list(100, columns: 36), to: "one.csv")
    try folder.write(
      "%%MatrixMarket matrix coordinate real general\n16 24 3\n16 24 .5\n1 1 1\n2 3 -1e-3\n",
      to: "two.mtx")
    let (one, two) = ("fc1=\(folder("one.csv"))", "fc2=\(folder("two.mtx"))")
    let flags = try Rigl.run(
      arguments(["--topology", one, "--topology", two, "--output", folder("flags")]))
    #expect(flags.status == 0, "\(flags.errors)")
    #expect(flags.output.contains("topology of \(folder("two.mtx")): fc2 (3 connections"))
    #expect(try connections("flags")["fc1"] == 100 && connections("flags")["fc2"] == 3)
    try folder.write("topology: {fc1: one.csv, fc2: two.mtx}\n", to: "map.yaml")
    try folder.write("topology: [fc1=one.csv, fc2=two.mtx]\n", to: "list.yaml")
    for name in ["map", "list"] {
      let more = [folder("\(name).yaml"), "--output", folder(name), "--quiet"]
      let outcome = try Rigl.run(arguments(more))
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(try connections(name) == connections("flags"))
    }
    // From its own settings, and on, when the files are gone.
    let again = try Rigl.run(
      "train", folder("flags/config.yaml"), "--output", folder("again"), "--quiet")
    #expect(again.status == 0, "\(again.errors)")
    for name in ["one.csv", "two.mtx"] {
      try FileManager.default.removeItem(atPath: folder(name))
    }
    let more = try Rigl.run("train", "--resume", folder("flags"), "--extend", "1", "--quiet")
    #expect(more.status == 0, "\(more.errors)")
    for command in ["evaluate", "inspect"] {
      #expect(try Rigl.run(command, folder("flags")).status == 0)
    }
  }

  @Test func mistakesAreOneLineAndWriteNothing() throws {
    try folder.write("row,column\n0,0\n99,0\n", to: "out.csv")
    try folder.write("row,column\n0,0\n1,0\n", to: "two.csv")
    for (more, status, what) in [
      (["--topology", "fc1=\(folder("out.csv"))"], 65, "line 3: row 99, column 0 is outside"),
      (["--topology", "fc4=\(folder("two.csv"))"], 64, "unknown layer in topology: 'fc4'"),
      (["--topology", folder("two.csv")], 64, "names no layer"),
      (["--topology", "fc1=\(folder("none.csv"))"], 66, "cannot be read"),
      (
        ["--topology", "fc1=\(folder("two.csv"))", "--sparsity", "0.9"], 64,
        "layer fc1 has 2 connections, but the settings ask for"
      ),
      (["--topology", "fc1=\(folder("two.csv"))", "--method", "dense"], 64, "method dense"),
      (["--set", "topology=[[a]]"], 64, "topology: "),
    ] {
      for dry in [[], ["--dry-run"]] {
        let outcome = try Rigl.run(arguments(more + dry + ["--output", folder("no")]))
        #expect(outcome.status == status && !outcome.hasCrashed, "\(outcome.errors)")
        let lines = outcome.errors.split(separator: "\n")
        #expect(lines.first?.contains(what) == true, "\(outcome.errors)")
        #expect(!FileManager.default.fileExists(atPath: folder("no")))
      }
    }
    try data.train(in: folder("run"))
    let resumed = try Rigl.run(
      "train", "--resume", folder("run"), "--topology", "fc1=\(folder("two.csv"))")
    #expect(resumed.status == 64 && resumed.errors.contains("exclude each other"))
    let set = try Rigl.run(
      "train", "--resume", folder("run"), "--set", "topology=fc1=\(folder("two.csv"))")
    #expect(set.status == 64 && set.errors.contains("a run that goes on has connections"))
    let dry = try Rigl.run(arguments(["--topology", "fc1=\(folder("two.csv"))", "--dry-run"]))
    #expect(dry.status == 0 && dry.output.contains("fc1 (2 connections"), "\(dry)")
  }

  @Test func widthsAreMatchedAndPrinted() throws {
    for (name, more) in [
      ("small", ["--method", "small-dense"]), ("big", ["--big-sparse"]),
      ("parameters", ["--method", "small-dense", "--match", "parameters"]),
    ] {
      let all = arguments(more + ["--sparsity", "0.8"])
      let dry = try Rigl.run(all + ["--dry-run"])
      #expect(dry.status == 0 && dry.output.contains("# width "), "\(dry.errors)")
      let outcome = try Rigl.run(all + ["--output", folder(name)])
      #expect(outcome.status == 0, "\(outcome.errors)")
      let line = try #require(
        outcome.output.split(separator: "\n").first {
          $0.contains("width ") && $0.contains("at most")
        })
      #expect(dry.output.contains(line.trimmingCharacters(in: .whitespaces).prefix(30)))
      #expect(try Rigl.run("train", "--resume", folder(name), "--quiet").status == 0)
      #expect(try Rigl.run("evaluate", folder(name)).status == 0)
    }
    let small = try connections("small")
    #expect(try small.values.reduce(0, +) < connections("big").values.reduce(0, +))
    let flops = try Rigl.run("flops", "lenet-300-100", "--method", "small-dense")
    #expect(flops.status == 0 && flops.output.contains("small-dense: width "), "\(flops.output)")
    let methods = try Rigl.run("methods")
    for name in ["dense", "small-dense", "static", "--big-sparse"] {
      #expect(methods.output.contains(name))
    }
  }
}
