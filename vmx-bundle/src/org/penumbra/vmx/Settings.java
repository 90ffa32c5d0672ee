package org.penumbra.vmx;

import java.util.Map;
import java.util.TreeMap;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuFactory.Setting;

/** A design's settings. */
final class Settings {
    private Settings() {}

    /**
     * Every setting of {@code design} with the value that holds: {@code chosen}, or the default.
     *
     * @throws MachineException if a chosen key or value is none of the design's
     */
    static Map<String, String> of(Plugin<MmuFactory> design, Map<String, String> chosen) {
        Map<String, String> values = new TreeMap<>();
        for (Setting s : design.service().settings()) {
            String value = chosen.getOrDefault(s.key(), s.defaultValue());
            if (!s.choices().isEmpty() && !s.choices().contains(value)) {
                throw new MachineException("setting " + s.key() + "=" + value + " of design '" + design.name() + "': one of "
                        + String.join(", ", s.choices()) + " is needed");
            }
            values.put(s.key(), value);
        }
        for (String key : chosen.keySet()) {
            if (!values.containsKey(key)) {
                throw new MachineException("design '" + design.name() + "' has no setting " + key + "; it has: " + String.join(", ", values.keySet()));
            }
        }
        return values;
    }
}
