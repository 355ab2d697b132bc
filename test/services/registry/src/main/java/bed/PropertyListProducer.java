package bed;

import io.apicurio.common.apps.config.DynamicConfigPropertyList;
import java.util.ArrayList;
import javax.enterprise.context.ApplicationScoped;
import javax.enterprise.inject.Produces;

/** The list of settings that can be changed at run time, left empty: Apicurio's own build step that fills it is not published. */
@ApplicationScoped
public class PropertyListProducer {
  @Produces
  @ApplicationScoped
  public DynamicConfigPropertyList properties() {
    return new DynamicConfigPropertyList(new ArrayList<>());
  }
}
