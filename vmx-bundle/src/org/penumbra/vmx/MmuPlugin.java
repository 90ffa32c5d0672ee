package org.penumbra.vmx;

import java.util.Map;
import java.util.TreeMap;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuFactory.Setting;

/**
 * A design, and where it came from.
 *
 * @param name its {@code mmu.name}
 * @param bundle symbolic name and version of the bundle that publishes it
 */
record MmuPlugin(String name, MmuFactory factory, String bundle) {
    /**
     * Every setting of the design with the value that holds: {@code chosen}, or the default.
     *
     * @throws MachineException if a chosen key or value is none of the design's
     */
    Map<String, String> settings(Map<String, String> chosen) {
        Map<String, String> values = new TreeMap<>();
        for (Setting s : factory.settings()) {
            String value = chosen.getOrDefault(s.key(), s.defaultValue());
            if (!s.choices().isEmpty() && !s.choices().contains(value)) {
                throw new MachineException("setting " + s.key() + "=" + value + " of design '" + name + "': one of " + String.join(", ", s.choices()) + " is needed");
            }
            values.put(s.key(), value);
        }
        for (String key : chosen.keySet()) {
            if (!values.containsKey(key)) {
                throw new MachineException("design '" + name + "' has no setting " + key + "; it has: " + String.join(", ", values.keySet()));
            }
        }
        return values;
    }
}
