// runccap is an OCI runtime for dockerd. It takes out of a container's capability sets what this machine's bounding
// set lacks, and becomes runc. `docker run --privileged` asks for every capability that the kernel knows, and on a
// machine whose root lacks one (CAP_SYS_RESOURCE, say) runc ends with "unable to apply caps: operation not permitted".
// With a full bounding set it changes nothing.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// In the kernel's order, bit 0 first: https://man7.org/linux/man-pages/man7/capabilities.7.html
var names = strings.Fields(`CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP
LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
CHECKPOINT_RESTORE`)

func main() {
	args := os.Args[1:]
	if len(args) == 1 && args[0] == "-version" {
		fmt.Println("runccap")
		return
	}
	if path, inner := specification(args); path != "" {
		if err := trimFile(path, inner); err != nil {
			fail(err)
		}
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		fail(err)
	}
	fail(syscall.Exec(runc, append([]string{"runc"}, args...), os.Environ()))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "runccap:", err)
	os.Exit(1)
}

// specification finds the file that says what is to run. For a new container it is the bundle's config.json, with the
// process inside (inner); for `exec` it is the process itself.
func specification(args []string) (path string, inner bool) {
	verb := ""
	for i, arg := range args {
		switch arg {
		case "create", "run", "exec":
			if verb == "" {
				verb = arg
			}
		case "--bundle", "-b":
			if (verb == "create" || verb == "run") && i+1 < len(args) {
				return filepath.Join(args[i+1], "config.json"), true
			}
		case "--process", "-p":
			if verb == "exec" && i+1 < len(args) {
				return args[i+1], false
			}
		}
	}
	return "", false
}

func trimFile(path string, inner bool) error {
	have, err := boundingSet()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var document map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	// Limits beyond 2^53 stay as they are written.
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	process := document
	if inner {
		process, _ = document["process"].(map[string]any)
	}
	trim(process, have)
	if text, err = json.Marshal(document); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func trim(process map[string]any, have map[string]bool) {
	sets, _ := process["capabilities"].(map[string]any)
	for name, value := range sets {
		asked, _ := value.([]any)
		kept := []any{}
		for _, capability := range asked {
			if text, _ := capability.(string); have[text] {
				kept = append(kept, capability)
			}
		}
		sets[name] = kept
	}
}

// boundingSet names what no process of this machine can have more than.
func boundingSet() (map[string]bool, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	_, rest, found := strings.Cut(string(status), "CapBnd:")
	if !found {
		return nil, fmt.Errorf("/proc/self/status names no CapBnd")
	}
	bits, err := strconv.ParseUint(strings.Fields(rest)[0], 16, 64)
	if err != nil {
		return nil, err
	}
	have := map[string]bool{}
	for bit, name := range names {
		if bits&(1<<bit) != 0 {
			have["CAP_"+name] = true
		}
	}
	return have, nil
}
